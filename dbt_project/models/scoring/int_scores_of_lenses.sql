-- grain: account, day of the run and scorecard version made of lenses; the score after exceptions and overrides
with raw_scores as (
    {{ raw_scores(ref('int_lens_scores')) }}
),

adjustments as (
    {{ adjustments(ref('int_lens_scores')) }}
),

final as (
    {{ health_scores('raw_scores', 'adjustments') }}
)

select * from final
