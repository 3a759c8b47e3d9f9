-- grain: account and version (a later `known_at` is a newer version)
{{ accounts_of('hubspot', source('raw_hubspot', 'companies')) }}
