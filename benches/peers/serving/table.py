"""Medians of the rounds, ratios within each round, and the aims."""

from __future__ import annotations

import statistics

# What is aimed at, beside which peer, of which figure; at least so much, or at most.
AIMS = [
    ("at least 3 times Triton at 1 client", "Triton 2.51", "requests/s", (1,), ">=", 3.0),
    ("at least 2.5 times Triton at 4 and 16 clients", "Triton 2.51", "requests/s", (4, 16), ">=", 2.5),
    ("at least 12 times MLServer", "MLServer 1.7.1", "requests/s", (1, 4, 16), ">=", 12.0),
    ("p50 at 1 client at most a third of Triton's", "Triton 2.51", "p50 ms", (1,), "<=", 1 / 3),
    ("memory (PSS) at most a fifth of Triton's", "Triton 2.51", "PSS MiB", (0,), "<=", 0.2),
    ("the wire alone at least 0.8 of bare axum", "axum", "requests/s", (1, 4, 16), ">=", 0.8),
]


class Table:
    """What was seen: (part, clients, figure) -> server -> round -> value."""

    def __init__(self, servers: list[str], ours: list[str]) -> None:
        self.servers, self.ours = servers, ours
        self.seen: dict[tuple[str, int, str], dict[str, dict[int, float]]] = {}

    def keep(self, part: str, clients: int, figure: str, server: str, turn: int, value: float) -> None:
        self.seen.setdefault((part, clients, figure), {}).setdefault(server, {})[turn] = value

    def ratio(self, key: tuple[str, int, str], ours: str, theirs: str) -> float | None:
        """Ours divided by theirs in the same round, the median of that."""
        cell = self.seen.get(key, {})
        pairs = [(cell.get(ours, {}).get(turn), value) for turn, value in cell.get(theirs, {}).items()]
        ratios = [mine / value for mine, value in pairs if mine is not None and value]
        return statistics.median_low(ratios) if ratios else None

    def print(self) -> None:
        print(f"\n| | {' | '.join(self.servers)} |\n|---|{'---|' * len(self.servers)}")
        for key, cell in self.seen.items():
            part, clients, figure = key
            columns = []
            for server in self.servers:
                if server not in cell:
                    columns.append("")
                    continue
                text = short(statistics.median_low(cell[server].values()))
                ratio = self.ratio(key, self.ours[0], server) if self.ours and server != self.ours[0] else None
                columns.append(text if ratio is None else f"{text} (x {short(ratio)})")
            load = f", {clients} client{'s' * (clients > 1)}" if clients else ""
            print(f"| {part}{load}: {figure} | {' | '.join(columns)} |")

    def print_aims(self) -> None:
        for text, peer, figure, clients, sign, bound in AIMS:
            for ours in self.ours:
                ratios = {
                    key: ratio
                    for key in self.seen
                    if key[1] in clients and key[2] == figure and (ratio := self.ratio(key, ours, peer)) is not None
                }
                if not ratios:
                    print(f"not seen: {ours}, {text}")
                    continue
                meets = (lambda ratio: ratio >= bound) if sign == ">=" else (lambda ratio: ratio <= bound)
                worst = (min if sign == ">=" else max)(ratios, key=ratios.get)
                share = f"{sum(map(meets, ratios.values()))} of {len(ratios)}"
                verdict = "met" if all(map(meets, ratios.values())) else "NOT met"
                where = worst[0] + (f", {worst[1]} clients" if worst[1] else "")
                print(f"{verdict}: {ours}, {text}: {share} cells; the worst x {short(ratios[worst])} ({where})")
        if not self.ours:
            print("not seen: Trackside; give its binary in TRACKSIDE_PEERS_BINARY")


def short(value: float) -> str:
    """Three digits that count."""
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"
