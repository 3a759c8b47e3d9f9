-- The effects of a change sum to the difference of the two scores; where there are none, the scores are equal.
{{ config(meta={'dagster': {'ref': {'name': 'fct_score_changes'}}}) }}
select
    pairs.account_id,
    pairs.day,
    pairs.lens,
    pairs.span_days,
    max(pairs.score_after - pairs.score_before) as difference,
    sum(changes.points) as points
from {{ ref('int_score_pairs') }} as pairs
left join {{ ref('fct_score_changes') }} as changes
    on
        pairs.account_id = changes.account_id
        and pairs.day = changes.day
        and pairs.lens = changes.lens
        and pairs.span_days = changes.span_days
where pairs.score_before is not null and pairs.score_after is not null
group by pairs.account_id, pairs.day, pairs.lens, pairs.span_days
having abs(max(pairs.score_after - pairs.score_before) - coalesce(sum(changes.points), 0)) > 1e-9
