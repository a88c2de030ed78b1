"""What a row of each release becomes: one module per set, whose `parts(subset)` says what a task is read from.

The fields beside `item_id`, `stem`, `options` and `gold` keep the Hub's names, so that likelihood prompts can be those
of lm-eval to the letter.
"""
