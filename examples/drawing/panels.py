"""Gauges, light panels and schematic drawings of the Marla 2."""

from __future__ import annotations

from PIL import Image

from drawing.canvas import (
    BLUE,
    BRASS,
    COPPER,
    CREAM,
    DARK_STEEL,
    GREEN,
    INK,
    RED,
    STEEL,
    WHITE,
    Canvas,
    Colour,
    around,
)

AMBER: Colour = (238, 170, 40)
OFF: Colour = (82, 86, 92)


def pressure_gauge() -> Image.Image:
    c = Canvas(440, 440, RED)
    c.disc((220, 220), 186, STEEL)
    c.disc((220, 220), 164, WHITE, shade=0.04)
    c.arc((220, 220), 140, (270, 304), GREEN, 16)
    c.arc((220, 220), 140, (321, 45), RED, 16)
    for bar in range(0, 17, 2):
        angle = 135 + 270 * bar / 16
        c.line([around((220, 220), 126, angle), around((220, 220), 146, angle)], INK, 4)
        c.text(around((220, 220), 100, angle), str(bar), 22)
    c.line([around((220, 220), 26, 107), around((220, 220), 118, 287)], INK, 7)
    c.disc((220, 220), 16, DARK_STEEL)
    c.text((220, 300), "bar", 26)
    return c.finished()


def thermostat_dial() -> Image.Image:
    c = Canvas(440, 440, STEEL)
    for value in range(88, 97):
        angle = 150 + 30 * (value - 88)
        c.line([around((220, 220), 150, angle), around((220, 220), 170, angle)], INK, 4)
        c.text(around((220, 220), 192, angle), str(value), 20, RED if value > 94 else INK)
    c.disc((220, 220), 132, INK)
    for k in range(36):
        c.line([around((220, 220), 122, 10 * k), around((220, 220), 134, 10 * k)], (70, 72, 78), 4)
    c.disc((220, 220), 96, (58, 60, 66))
    c.polygon([around((220, 220), 126, 300), around((220, 220), 30, 322), around((220, 220), 30, 278)], WHITE)
    c.text((220, 416), "brew temperature, °C", 20)
    return c.finished()


def light_panel(drop: Colour, heat: Colour, pump: Colour) -> Image.Image:
    """The three lights of the front panel: a drop, a flame and a pump, each in its colour."""
    c = Canvas(520, 240, (40, 42, 48))
    c.plate((14, 14, 506, 226), (62, 66, 74), radius=20)
    for x, colour in ((100, drop), (260, heat), (420, pump)):
        if colour != OFF:
            c.disc((x, 110), 76, colour, shade=0.25)
        c.disc((x, 110), 58, colour, shade=0.35)
    c.polygon([(100, 68), (128, 118), (114, 142), (86, 142), (72, 118)], WHITE)
    c.polygon([(260, 66), (288, 112), (276, 146), (244, 146), (232, 112), (248, 110)], WHITE)
    c.plate((392, 92, 434, 130), WHITE, shade=0)
    c.polygon([(434, 100), (456, 86), (456, 136), (434, 122)], WHITE)
    for x, words in ((100, "WATER"), (260, "HEAT"), (420, "PUMP")):
        c.text((x, 204), words, 18, WHITE)
    return c.finished()


def panel_tank_empty() -> Image.Image:
    return light_panel(RED, OFF, OFF)


def panel_overheated() -> Image.Image:
    return light_panel(OFF, RED, OFF)


def panel_pump_dry() -> Image.Image:
    return light_panel(AMBER, OFF, RED)


def panel_ready() -> Image.Image:
    return light_panel(GREEN, GREEN, GREEN)


def wiring() -> Image.Image:
    c = Canvas(640, 460, WHITE)
    boxes = (
        ((40, 40, 160, 110), "mains 230 V", CREAM), ((250, 40, 370, 110), "fuse 10 A", CREAM),
        ((460, 40, 600, 110), "switch", CREAM), ((40, 320, 180, 400), "heater 1350 W", COPPER),
        ((250, 320, 390, 400), "pump 48 W", BLUE), ((460, 320, 600, 400), "board", GREEN),
    )  # fmt: skip
    for box, words, colour in boxes:
        c.plate(box, colour, shade=0.1, radius=6, outline=INK)
        c.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), words, 17)
    c.line([(160, 64), (250, 64)], (130, 76, 40), 5)
    c.line([(370, 64), (460, 64)], (130, 76, 40), 5)
    c.line([(530, 110), (530, 320)], (130, 76, 40), 5)
    c.line([(100, 110), (100, 220), (560, 220), (560, 320)], BLUE, 5)
    c.line([(110, 220), (110, 320)], BLUE, 5)
    c.line([(320, 220), (320, 320)], BLUE, 5)
    c.line([(460, 350), (390, 350)], RED, 5)
    c.line([(460, 380), (425, 380), (425, 430), (150, 430), (150, 400)], RED, 5)
    c.text((430, 240), "neutral, blue", 16, BLUE)
    c.text((586, 190), "live", 16, (130, 76, 40))
    return c.finished()


def boiler_section() -> Image.Image:
    c = Canvas(600, 460, CREAM)
    c.plate((150, 70, 450, 400), COPPER, radius=60, outline=INK)
    c.plate((172, 92, 428, 378), WHITE, shade=0, radius=46)
    c.plate((174, 190, 426, 376), (140, 190, 222), shade=0.2, radius=40)
    c.line([(120, 330), (360, 330), (360, 290), (210, 290), (210, 250), (390, 250)], DARK_STEEL, 14)
    c.line([(300, 40), (300, 150)], STEEL, 12)
    c.line([(400, 30), (400, 230)], BRASS, 6)
    c.line([(150, 130), (90, 130)], BRASS, 12)
    for number, place, target in (
        (1, (60, 360), (130, 330)), (2, (250, 40), (300, 60)), (3, (500, 60), (402, 90)),
        (4, (40, 130), (92, 130)), (5, (530, 300), (430, 300)),
    ):  # fmt: skip
        c.label(number, place, target)
    return c.finished()


def exploded_group() -> Image.Image:
    c = Canvas(460, 620, WHITE)
    c.line([(230, 20), (230, 600)], (170, 170, 176), 2)
    c.cylinder((130, 30, 330, 130), STEEL, radius=14)
    c.cylinder((214, 150, 246, 200), BRASS, radius=4)
    c.ring((230, 250), 90, 62, (44, 42, 44), hole=WHITE, squash=0.35)
    c.disc((230, 340), 84, STEEL, squash=0.3, shade=0.2)
    for k in range(14):
        x, y = around((0, 0), 56, 360 * k / 14)
        c.dot((230 + x, 340 + 0.3 * y), 3, INK)
    c.disc((230, 400), 14, BRASS)
    c.polygon([(140, 450), (320, 450), (300, 510), (160, 510)], STEEL, INK)
    c.cylinder((150, 540, 310, 590), DARK_STEEL, radius=8)
    for number, y, x in (
        (1, 80, 330),
        (2, 175, 246),
        (3, 250, 318),
        (4, 340, 312),
        (5, 400, 244),
        (6, 480, 308),
        (7, 565, 310),
    ):
        c.label(number, (410, y), (x, y))
    return c.finished()
