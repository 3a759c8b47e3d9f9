{# The files connector's list of what it loaded: file_id, path. A table of the load's own books, and so not a source. #}
{% macro loaded_files() %}raw_meta.loaded_files{% endmacro %}
