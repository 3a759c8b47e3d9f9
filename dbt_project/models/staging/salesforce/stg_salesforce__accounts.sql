-- grain: account and version (a later `known_at` is a newer version)
{{ accounts_of('salesforce', source('raw_salesforce', 'accounts')) }}
