-- Without enough data there is no score and no colour; with a score there is one.
select *
from {{ ref('int_health_scores') }}
where
    (score is null) <> (band = 'insufficient_data')
    or (measures_present = 0 and score is not null)
    or (coverage = 0 and score is not null)
