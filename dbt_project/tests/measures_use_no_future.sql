-- No measure rests on a fact newer than the day it is for.
select *
from {{ ref('int_measures') }}
where observed_at > day
