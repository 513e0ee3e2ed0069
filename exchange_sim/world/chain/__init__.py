"""The chain inside the world: wallets, blocks, transactions and what they do."""
