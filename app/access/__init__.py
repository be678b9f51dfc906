"""Who may do what: API keys, scopes, the trail of what was done."""
