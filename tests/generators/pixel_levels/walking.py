"""Whether a level can be played, by a literal breadth-first search."""

from __future__ import annotations

from collections import deque


def walk(text: str) -> bool:
    """The literal check: breadth-first over (row, column, has the key)."""
    rows = text.split("\n")
    places = {tile: [(r, c) for r, row in enumerate(rows) for c, x in enumerate(row) if x == tile] for tile in "SE"}
    if len(places["S"]) != 1 or len(places["E"]) != 1:
        return False
    queue = deque([(*places["S"][0], False)])
    seen = set(queue)
    while queue:
        r, c, key = queue.popleft()
        if rows[r][c] == "E":
            return True
        key = key or rows[r][c] == "K"
        for state in ((r - 1, c, key), (r + 1, c, key), (r, c - 1, key), (r, c + 1, key)):
            inside = 0 <= state[0] < len(rows) and 0 <= state[1] < len(rows[0])
            if inside and state not in seen and rows[state[0]][state[1]] in ".=SEKm$" + "D" * key:
                seen.add(state)
                queue.append(state)
    return False
