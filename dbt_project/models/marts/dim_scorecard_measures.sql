-- grain: scorecard version and measure
with titles as (
    {%- for measure in measures_defined() %}
    select
        '{{ measure.name }}' as measure,
        '{{ measure.title }}' as title,
        '{{ measure.unit }}' as unit,
        '{{ measure.direction }}' as direction
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

groups as (
    select
        *,
        100 * cast(weight as double)
        / cast(sum(weight) over (partition by scorecard_hash) as double) as group_weight_percent
    from {{ source('raw_config', 'scorecard_groups') }}
),

measures as (
    select
        *,
        cast(weight as double)
        / cast(sum(weight) over (partition by scorecard_hash, measure_group) as double) as share_of_group
    from {{ source('raw_config', 'scorecard_measures') }}
),

final as (
    select
        measures.scorecard_hash,
        measures.measure,
        measures.measure_group,
        groups.title as group_title,
        coalesce(titles.title, case when measures.scored_lens is not null then groups.title end) as title,
        coalesce(titles.unit, case when measures.scored_lens is not null then 'score' end) as unit,
        coalesce(titles.direction, case when measures.scored_lens is not null then 'up' end) as direction,
        measures.share_of_group * groups.group_weight_percent as weight_percent,
        groups.group_weight_percent,
        measures.max_age_days,
        measures.warn_age_days,
        measures.asked_from_age
    from measures
    inner join groups
        on measures.scorecard_hash = groups.scorecard_hash and measures.measure_group = groups.measure_group
    left join titles
        on measures.measure = titles.measure
)

select * from final
