"""A residual network of whole numbers: maximum flow, cheapest flow, and the best of its ties.

The one engine behind every exact integer flow here. It is plain Python, because the network of
one credit decision has some hundred arcs and must not wait for a compiler or a large import, and
because Python's whole numbers do not overflow.
"""

from collections.abc import Iterable
from heapq import heappop, heappush

# Stands for "this arc never binds". Far above any sum of money, and still an exact int.
UNLIMITED = 1 << 100


class Residual:
    """Nodes 0..n-1 and paired arcs: arc ``e`` and its way back ``e ^ 1``.

    ``cap[e]`` is what the arc can still carry, so the flow on a forward arc is ``cap[e ^ 1]``.

    Parameters
    ----------
    nodes : int
        Number of nodes, >= 0.

    Attributes
    ----------
    head, cap, cost : list of int
        Per arc: the node it leads to, what it can still carry, what one unit on it costs.
    out : list of list of int
        Per node: the arcs that leave it, ways back included.

    Notes
    -----
    Memory O(n + m). All answers are exact.

    References
    ----------
    Dinic (1970), an algorithm for the maximum flow with power estimation; Ford & Fulkerson
    (1962), Flows in Networks, on cheapest flows by node prices.

    Examples
    --------
    >>> net = Residual(3)
    >>> a, b = net.arc(0, 1, 5), net.arc(1, 2, 3)
    >>> net.push_all(0, 2)
    3
    >>> net.flow(a), net.cap[a]
    (3, 2)
    """

    __slots__ = ("cap", "cost", "head", "out")

    def __init__(self, nodes: int) -> None:
        self.head: list[int] = []
        self.cap: list[int] = []
        self.cost: list[int] = []
        self.out: list[list[int]] = [[] for _ in range(nodes)]

    def arc(self, tail: int, head: int, capacity: int, cost: int = 0) -> int:
        """Add an arc and its way back, and return its number (always even). Constant cost."""
        number = len(self.head)
        self.head += (head, tail)
        self.cap += (capacity, 0)
        self.cost += (cost, -cost)
        self.out[tail].append(number)
        self.out[head].append(number + 1)
        return number

    def flow(self, arc: int) -> int:
        """Units that a forward arc carries now."""
        return self.cap[arc ^ 1]

    def reached_from(self, source: int) -> bytearray:
        """Mark the nodes that `source` still reaches over arcs with capacity left. O(n + m)."""
        head, cap, out = self.head, self.cap, self.out
        seen = bytearray(len(out))
        seen[source] = 1
        stack = [source]
        while stack:
            for e in out[stack.pop()]:
                if cap[e] and not seen[head[e]]:
                    seen[head[e]] = 1
                    stack.append(head[e])
        return seen

    def reaching(self, sink: int) -> bytearray:
        """Mark the nodes that still reach `sink` over arcs with capacity left. O(n + m)."""
        head, cap, out = self.head, self.cap, self.out
        seen = bytearray(len(out))
        seen[sink] = 1
        stack = [sink]
        while stack:
            for e in out[stack.pop()]:
                if cap[e ^ 1] and not seen[head[e]]:
                    seen[head[e]] = 1
                    stack.append(head[e])
        return seen

    def push_all(
        self,
        source: int,
        sink: int,
        wanted: int = UNLIMITED,
        price: list[int] | None = None,
    ) -> int:
        """Push as much as possible, at most `wanted`, from `source` to `sink`.

        Parameters
        ----------
        source, sink : int
            Two different nodes.
        wanted : int
            Stop at this many units.
        price : list of int, optional
            Node prices. When given, only tight arcs are used: ``cost + price[tail] -
            price[head] == 0``.

        Returns
        -------
        int
            Units pushed.

        Notes
        -----
        Dinic's method: O(n^2 m) at worst, near linear on networks of vouches. The search runs
        from the sink backwards, so it stays near the borrower.
        """
        head, cap, cost, out = self.head, self.cap, self.cost, self.out
        pushed = 0
        while pushed < wanted:
            far = len(out)
            level = [far] * far
            level[sink] = 0
            edge = [sink]
            steps = 0
            while edge and level[source] == far:
                steps += 1
                beyond: list[int] = []
                for node in edge:
                    for e in out[node]:
                        tail = head[e]
                        back = e ^ 1
                        if (
                            cap[back]
                            and level[tail] == far
                            and (price is None or cost[back] + price[tail] == price[node])
                        ):
                            level[tail] = steps
                            beyond.append(tail)
                edge = beyond
            if level[source] == far:
                break
            at = [0] * far
            path: list[int] = []
            node = source
            while True:
                if node == sink:
                    room = min(cap[e] for e in path)
                    room = min(room, wanted - pushed)
                    for e in path:
                        cap[e] -= room
                        cap[e ^ 1] += room
                    pushed += room
                    if pushed == wanted:
                        return pushed
                    # Go on from the tail of the first arc that is now full.
                    keep = next(i for i, e in enumerate(path) if not cap[e])
                    node = head[path[keep] ^ 1]
                    del path[keep:]
                    continue
                arcs = out[node]
                i = at[node]
                want = level[node] - 1
                while i < len(arcs):
                    e = arcs[i]
                    if (
                        cap[e]
                        and level[head[e]] == want
                        and (price is None or cost[e] + price[node] == price[head[e]])
                    ):
                        break
                    i += 1
                at[node] = i
                if i < len(arcs):
                    path.append(arcs[i])
                    node = head[arcs[i]]
                elif path:
                    node = head[path.pop() ^ 1]
                    at[node] += 1
                else:
                    break
        return pushed

    def push_cheapest(self, source: int, sink: int, wanted: int = UNLIMITED) -> list[int]:
        """Push at most `wanted` units so that their total cost is the least possible.

        Arc costs must be >= 0. Call it on a network without flow.

        Returns
        -------
        list of int
            Node prices that prove it: on every arc with capacity left,
            ``cost + price[tail] - price[head] >= 0``.

        Notes
        -----
        One Dijkstra per distinct cost of an augmenting path, then a maximum flow on the tight
        arcs. With vouches as cost there are a handful of distinct costs.
        """
        head, cap, cost, out = self.head, self.cap, self.cost, self.out
        nodes = len(out)
        price = [0] * nodes
        left = wanted
        while left:
            unknown = UNLIMITED
            distance = [unknown] * nodes
            distance[source] = 0
            queue = [(0, source)]
            done = bytearray(nodes)
            while queue:
                so_far, node = heappop(queue)
                if done[node]:
                    continue
                done[node] = 1
                if node == sink:
                    break
                base = so_far + price[node]
                for e in out[node]:
                    if cap[e]:
                        to = head[e]
                        other = base + cost[e] - price[to]
                        if other < distance[to]:
                            distance[to] = other
                            heappush(queue, (other, to))
            end = distance[sink]
            if end == unknown:
                break
            # Whoever is farther than the sink gets the sink's distance: that keeps every arc
            # with capacity left at a reduced cost >= 0, the unreached ones included.
            price = [p + (d if d < end else end) for p, d in zip(price, distance, strict=True)]
            left -= self.push_all(source, sink, left, price)
        return price

    def prefer(self, arcs: Iterable[int], price: list[int]) -> None:
        """Among all flows of the same value and cost, move to the lexicographically best one.

        The first arc gets as much flow as it can have in any of them, then the second as much
        as it can have besides, and so on.

        Parameters
        ----------
        arcs : iterable of int
            Forward arcs in order of preference.
        price : list of int
            Prices from `push_cheapest`.

        Notes
        -----
        Two flows of equal value and cost differ by cycles of tight arcs only. So an arc can
        carry more exactly when tight arcs lead back from its head to its tail; what it reached
        is then closed for all that follows. One small search per arc that is not full, unless an
        earlier search rules it out: closing arcs and pushing around a cycle never lets a node
        reach another that it could not reach before.
        """
        head, cap, cost, out = self.head, self.cap, self.cost, self.out
        closed = bytearray(len(head))
        # What searches without success have seen, by what they sought and by where they started.
        apart: dict[int, set[int]] = {}
        within: dict[int, set[int]] = {}
        for arc in arcs:
            start, goal = head[arc], head[arc ^ 1]
            closed[arc] = closed[arc ^ 1] = 1
            if cost[arc] + price[goal] != price[start]:
                continue
            lost = apart.setdefault(goal, set())
            while cap[arc] and start not in lost and goal in within.get(start, (goal,)):
                came = {start: -1}
                edge = [start]
                while edge and goal not in came:
                    beyond: list[int] = []
                    for node in edge:
                        for e in out[node]:
                            to = head[e]
                            if (
                                cap[e]
                                and to not in came
                                and not closed[e]
                                and cost[e] + price[node] == price[to]
                                and to not in lost
                            ):
                                came[to] = e
                                beyond.append(to)
                    edge = beyond
                if goal not in came:
                    # Nothing leads out of what searches for this goal have seen in vain.
                    lost.update(came)
                    within[start] = lost
                    break
                path = [arc]
                node = goal
                while node != start:
                    path.append(came[node])
                    node = head[came[node] ^ 1]
                room = min(cap[e] for e in path)
                for e in path:
                    cap[e] -= room
                    cap[e ^ 1] += room
