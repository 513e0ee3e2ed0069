"""Double entry in integers: the only place where balances change."""
