"""The parts of the Bradley-Terry ratings; `leaderboard.bradley_terry` is their front."""
