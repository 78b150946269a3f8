"""Model cards: what a run or an exported network is, how it was trained, how well it does, and on what terms."""
