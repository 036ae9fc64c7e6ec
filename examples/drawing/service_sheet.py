"""The words of the handbook's one PDF: the service sheet of the Marla 2, four pages.

"---" begins a page, "#" a heading; "[drawing width]" sets a drawing, `width` points wide, over its caption.
"""

from __future__ import annotations

import re

from drawing import panels, parts
from drawing.pdf_writer import Block, Sheet

_WORDS = """\
# 1 The boiler

This sheet is for whoever opens the machine. Pull the mains plug, let the boiler cool for an hour, and open
the steam tap until nothing hisses before you loosen a single screw.

The boiler is a copper vessel of 0.35 litres with walls two millimetres thick. Its heating element enters
from the left and makes two turns near the bottom, so that it stays covered while there is water to cover
it. An element that has run dry shows a blue-black stripe and must be replaced even if it still conducts.

[boiler_section 300] Figure 1. Section through the boiler: 1 heating element, 2 steam tube, 3 level probe, 4
outlet to the expansion valve, 5 copper wall.

The level probe is a bare brass rod. When the water reaches its tip a very small current flows to the wall
and the board stops the fill pump. Lime on the rod insulates it: the board then believes the boiler is empty
and overfills it, and water instead of steam comes out of the wand. Rub the rod bright with a nylon pad at
every descaling.

Tighten the six flange screws crosswise to 4 newton metres. A new flat gasket belongs under the flange each
time it has been open.

---

# 2 The brew group, taken apart

Everything in the group comes out from below, in the order of the drawing. Lay the parts down in a row and
you cannot put them back wrongly.

[exploded_group 240] Figure 2. Exploded view of the group: 1 bell, 2 water spreader, 3 rubber seal, 4 shower
screen, 5 screen screw, 6 filter basket, 7 portafilter rim.

The water spreader (2) unscrews with a 10 mm socket. Its three holes must be free; a blocked hole wets only
one half of the coffee and the puck comes out dry on one side.

Torque for the screen screw (5) is 1.5 newton metres, which is finger-tight plus an eighth of a turn. More
than that bends the screen and the seal will weep.

---

# 3 Wiring and fuse

The live wire is brown and passes the fuse and the switch before it reaches the board. The neutral wire is
blue and goes straight to all three consumers. The red wires carry switched current from the board to the
pump and to the heater.

[wiring 330] Figure 3. Wiring diagram: mains, fuse, switch, board, pump and heater.

If the machine is dead and the socket is not, look at the fuse first. It sits in a holder beside the mains
inlet. A good fuse shows an unbroken wire through the glass; a grey mirror on the inside of the glass means
a short circuit, most often a heating element that leaks to the wall.

[fuse 220] Figure 4. The fuse: slow-blow, 10 ampere, 250 volt, 6.3 by 32 mm.

Never fit a fuse of a higher rating. If the second fuse blows as well, measure the element: between either
terminal and the boiler wall there must be at least 2 megohms.

---

# 4 Technical data and spare parts

Mains 230 volts, 50 hertz; heater 1350 watts; pump 48 watts. Tank 1.8 litres. Boiler 0.35 litres. Brew
pressure 9 bar, expansion valve set to 10 bar, safety valve 12 bar. Weight 11.5 kilograms. Sound at one
metre 62 decibels.

Order numbers: group seal 8.5 mm M2-031; shower screen M2-032; screen screw M2-033; single basket M2-041;
double basket M2-042; blind basket M2-043; vibration pump M2-110; expansion valve M2-115; steam tip with
four holes M2-207; fuse M2-301; tank valve with O-ring M2-402.

[steam_tip 200] Figure 5. Steam tip M2-207. The four holes have a diameter of 1.2 mm; clear them with the
needle from the tool bag, never with a drill.

Wear, from two years of repairs: seals last about a year, pumps five, tank valves seven. We have never
replaced a boiler that was descaled on time.
"""
_DRAWINGS = {
    "boiler_section": panels.boiler_section,
    "exploded_group": panels.exploded_group,
    "wiring": panels.wiring,
    "fuse": parts.fuse,
    "steam_tip": parts.steam_tip,
}


def service_sheet() -> bytes:
    """Return the PDF."""
    sheet = Sheet("Marla 2 service sheet")
    for page in _WORDS.split("\n---\n"):
        sheet.page([_block(piece) for piece in page.strip().split("\n\n")])
    return sheet.finished()


def _block(piece: str) -> Block:
    if piece.startswith("# "):
        return Block("heading", piece[2:])
    figure = re.match(r"\[(\w+) (\d+)\] ", piece)
    if figure is None:
        return Block("text", piece)
    return Block("figure", piece[figure.end() :], _DRAWINGS[figure[1]](), float(figure[2]))
