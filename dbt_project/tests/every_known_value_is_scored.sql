-- A measure that is known and not too old falls on exactly one piece of its curve.
select *
from {{ ref('int_measure_scores') }}
where (missing_reason is null) <> (measure_score is not null) or measure_score not between 0 and 100
