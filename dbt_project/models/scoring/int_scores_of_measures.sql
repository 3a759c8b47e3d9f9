-- grain: account, day of the run and scorecard version made of measures; the score after exceptions and overrides
{{ health_scores(ref('int_raw_scores'), ref('int_adjustments')) }}
