"""The exchange's side of the house: wire, signing, budgets, session and client."""
