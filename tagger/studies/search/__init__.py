"""Settings that nobody typed: proposed by Optuna, judged on validation, written as an experiment."""
