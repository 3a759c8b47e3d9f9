-- grain: day and direction; days on which more accounts moved the same way than config takes for their own doing
select
    moves.day,
    moves.direction,
    moves.accounts_scored,
    moves.accounts_moved,
    cast(moves.accounts_moved as double) / moves.accounts_scored as share
from {{ ref('int_moves') }} as moves
cross join {{ source('raw_config', 'settings') }} as settings
where moves.accounts_moved > settings.mass_move_share * moves.accounts_scored
