"""Base fee of blocks (EIP-1559), exact.  Source: https://eips.ethereum.org/EIPS/eip-1559."""

from __future__ import annotations

from typing import Final

ELASTICITY: Final = 2
CHANGE_DENOMINATOR: Final = 8
BLOCK_SECONDS: Final = 12
GWEI: Final = 10**9


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int) -> int:
    """Base fee in wei of the block after one that used ``gas_used`` of ``gas_limit``.

    Raises ``ValueError`` unless 0 <= gas_used <= gas_limit and the limit is at least 2.
    """
    target = gas_limit // ELASTICITY
    if target <= 0 or not 0 <= gas_used <= gas_limit:
        raise ValueError(f"gas used {gas_used} does not fit a block limit of {gas_limit}")
    if gas_used == target:
        return base_fee
    if gas_used > target:
        rise = base_fee * (gas_used - target) // target // CHANGE_DENOMINATOR
        return base_fee + max(1, rise)
    fall = base_fee * (target - gas_used) // target // CHANGE_DENOMINATOR
    return base_fee - fall


def blocks_until(start: int, target: int, gas_used: int, gas_limit: int) -> tuple[int, int]:
    """Blocks of equal use until the base fee reaches ``target``, and the fee then.

    Raises ``ValueError`` for a negative fee, and when the blocks never push it to the target.
    """
    if start < 0 or target < 0:
        raise ValueError(f"a base fee cannot be negative: {min(start, target)} wei")
    fee, blocks, rising = start, 0, target >= start
    while (fee < target) if rising else (fee > target):
        moved = next_base_fee(fee, gas_used, gas_limit)
        if moved == fee or (moved > fee) != rising:
            raise ValueError(f"blocks of {gas_used} gas never move {start} wei to {target} wei")
        fee, blocks = moved, blocks + 1
    return blocks, fee
