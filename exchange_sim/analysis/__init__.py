"""Reading a run: metrics, scores, reports, and checks of rules against published figures."""
