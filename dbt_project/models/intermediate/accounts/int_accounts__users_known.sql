-- grain: account and day of the run on which users became known (the run's first day holds those known before)
select
    account_id,
    greatest(known_day, {{ from_day() }}) as day,
    count(*) as users_change
from {{ ref('int_accounts__users') }}
where known_day <= {{ to_day() }}
group by account_id, greatest(known_day, {{ from_day() }})
