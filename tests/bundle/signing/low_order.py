"""The points of Ed25519's curve of low order, computed from the curve alone."""

from __future__ import annotations

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The group law of the twisted Edwards curve (RFC 8032, 5.1)."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def on_curve(y: int) -> list[Point]:
    """The points with this y: x² = (y² - 1) / (d y² + 1)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P) % P):
        if x * x % P == square:
            return [(x, y), (-x % P, y)]
    return []


def low_order_points() -> set[Point]:
    """All eight, found by multiplying points of any order by the order of the large subgroup."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[Point] = set()
    for y in range(2, 60):
        for point in on_curve(y):
            total, power, left = (0, 1), point, order
            while left:
                total = add(total, power) if left & 1 else total
                power, left = add(power, power), left >> 1
            found.add(total)
    return found


def encodings() -> list[bytes]:
    found = []
    for x, y in sorted(low_order_points()):
        # y + p fits into 255 bits only for the smallest; a zero x may be given either sign.
        for written in (y, y + P) if y + P < 2**255 else (y,):
            for sign in {x & 1} if x else {0, 1}:
                found.append((written | sign << 255).to_bytes(32, "little"))
    return found


LOW = encodings()
