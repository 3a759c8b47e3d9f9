-- grain: account with accounts below it, day and lens; their health together
-- Every account below it counts once, whatever its level; with counts_own the account's own row counts, too.
{{ config(
    materialized='incremental',
    incremental_strategy='replace_where',
    replaces='scored_days',
    on_schema_change='append_new_columns',
) }}
with days as (
    {{ days_table(from_day(), to_day()) }}
),

scores as (
    select
        account_id,
        day,
        lens,
        scorecard_hash,
        score,
        cast(arr as decimal(18, 4)) as arr
    from {{ ref('int_health_scores') }}
    where scorecard_status = 'active' and not is_bridge
),

scorecards as (
    select * from {{ source('raw_config', 'scorecards') }}
    where is_current
),

below as (
    select
        hierarchy.ancestor_account_id as account_id,
        scores.day,
        scores.lens,
        scores.account_id as member_id,
        scores.score,
        scores.arr
    from {{ ref('int_accounts__hierarchy') }} as hierarchy
    inner join scores
        on
            hierarchy.account_id = scores.account_id
            and scores.day >= hierarchy.known_from
            and (hierarchy.known_until is null or scores.day < hierarchy.known_until)
    where hierarchy.level > 0
),

defaults as (
    select
        days.day,
        scorecards.lens,
        scorecards.scorecard_hash
    from days
    inner join scorecards
        on
            (scorecards.effective_from is null or days.day >= scorecards.effective_from)
            and (scorecards.effective_to is null or days.day < scorecards.effective_to)
    where scorecards.status = 'active' and scorecards.is_default
    qualify row_number() over (partition by days.day, scorecards.lens order by scorecards.position) = 1
),

-- An account that is no customer itself, such as a holding, goes by its lens's default.
ruled as (
    select
        parents.account_id,
        parents.day,
        parents.lens,
        scorecards.scorecard_id,
        scorecards.scorecard_hash,
        scorecards.coverage_floor,
        scorecards.parent_roll_up as roll_up,
        scorecards.counts_own
    from (select distinct account_id, day, lens from below) as parents
    left join scores as own
        on parents.account_id = own.account_id and parents.day = own.day and parents.lens = own.lens
    left join defaults
        on parents.day = defaults.day and parents.lens = defaults.lens
    inner join scorecards
        on coalesce(own.scorecard_hash, defaults.scorecard_hash) = scorecards.scorecard_hash
),

members as (
    select *
    from below
    union all
    select
        own.account_id,
        own.day,
        own.lens,
        own.account_id as member_id,
        own.score,
        own.arr
    from scores as own
    inner join ruled
        on own.account_id = ruled.account_id and own.day = ruled.day and own.lens = ruled.lens
    where ruled.counts_own
),

added as (
    select
        account_id,
        day,
        lens,
        count(*) as accounts,
        count(score) as accounts_scored,
        count(arr) as accounts_with_arr,
        sum(arr) as arr,
        sum(case when score is not null then arr end) as arr_scored,
        sum(case when score is not null and arr is null then 1 else 0 end) as scored_without_arr,
        sum({{ as_points('score') }}) as points,
        sum({{ as_points('score') }} * cast(arr as decimal(20, 4))) as points_by_arr,
        sum(case when arr is null then {{ as_points('score') }} end) as points_without_arr,
        min(score) as lowest_score,
        min(case when score is not null then {{ ranked('score', 'member_id') }} end) as lowest
    from members
    group by account_id, day, lens
),

-- An account whose ARR is not known weighs as much as those with a known one do on average. Where no ARR is known, or
-- all of it is zero, every account weighs the same.
averaged as (
    select
        added.*,
        ruled.scorecard_id,
        ruled.scorecard_hash,
        ruled.coverage_floor,
        ruled.roll_up,
        ruled.counts_own,
        case
            when ruled.roll_up = 'arr_weighted_mean' and added.arr > 0
                then cast(added.arr as double) / added.accounts_with_arr
        end as mean_arr
    from added
    inner join ruled
        on added.account_id = ruled.account_id and added.day = ruled.day and added.lens = ruled.lens
),

weighed as (
    select
        *,
        case
            when mean_arr is null then cast(accounts as double)
            else cast(arr as double) + mean_arr * (accounts - accounts_with_arr)
        end as weight,
        case
            when mean_arr is null then cast(accounts_scored as double)
            else cast(coalesce(arr_scored, 0) as double) + mean_arr * scored_without_arr
        end as weight_scored,
        case
            when mean_arr is null then cast(coalesce(points, 0) as double)
            else
                cast(coalesce(points_by_arr, 0) as double)
                + mean_arr * cast(coalesce(points_without_arr, 0) as double)
        end as weighted_points
    from averaged
),

rolled_up as (
    select
        *,
        weight_scored / weight as coverage,
        case
            when roll_up = 'worst' then lowest_score
            else weighted_points / nullif(weight_scored, 0)
        end as known_score,
        case
            when roll_up <> 'worst' then weighted_points / weight
            when accounts_scored < accounts then 0
            else lowest_score
        end as score_low,
        case
            when roll_up <> 'worst' then (weighted_points + 100 * (weight - weight_scored)) / weight
            else coalesce(lowest_score, 100)
        end as score_high
    from weighed
),

judged as (
    select
        *,
        case when coverage >= coverage_floor - 1e-9 then known_score end as score
    from rolled_up
),

final as (
    select
        judged.account_id,
        judged.day,
        judged.lens,
        judged.scorecard_id,
        judged.scorecard_hash,
        judged.roll_up,
        judged.counts_own,
        judged.score,
        coalesce(bands.band, 'insufficient_data') as band,
        judged.coverage,
        judged.score_low,
        judged.score_high,
        cast(judged.accounts as integer) as accounts,
        cast(judged.accounts_scored as integer) as accounts_scored,
        cast(judged.arr as decimal(18, 4)) as arr,
        cast(judged.arr_scored as decimal(18, 4)) as arr_scored,
        cast(judged.accounts - judged.accounts_with_arr as integer) as accounts_without_arr,
        judged.lowest.place as lowest_account_id,
        judged.lowest_score
    from judged
    left join {{ source('raw_config', 'scorecard_bands') }} as bands
        on
            judged.scorecard_hash = bands.scorecard_hash
            and {{ as_shown('judged.score') }} >= bands.lower_score
            and ({{ as_shown('judged.score') }} < bands.upper_score or bands.upper_score = 100)
)

select * from final
