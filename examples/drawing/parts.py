"""The parts of the Marla 2, each drawn on a bench as if photographed."""

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
    RUBBER,
    STEEL,
    WALNUT,
    WHITE,
    Canvas,
    Colour,
    around,
    hexagon,
)

BENCH: Colour = (206, 190, 164)
CLOTH: Colour = (150, 170, 184)
SLATE: Colour = (92, 98, 104)


def machine_front() -> Image.Image:
    c = Canvas(560, 520, CREAM, BENCH)
    c.shadow((90, 430, 470, 500))
    c.plate((120, 90, 440, 230), RED, radius=22)
    c.plate((140, 225, 420, 430), STEEL, radius=6)
    c.plate((105, 425, 455, 470), DARK_STEEL, radius=8)
    for x in range(125, 440, 22):
        c.line([(x, 432), (x + 10, 432)], INK, 4)
    c.cylinder((225, 222, 335, 276), STEEL, radius=8)
    c.cylinder((236, 276, 324, 306), DARK_STEEL, radius=6)
    c.cylinder((40, 284, 240, 304), WALNUT, upright=False, radius=10)
    c.disc((200, 150), 38, WHITE, shade=0.1)
    c.line([(200, 150), (222, 128)], RED, 4)
    for k in range(9):
        c.dot(around((200, 150), 30, 150 + 30 * k), 2, INK)
    for x, colour in ((290, (90, 190, 100)), (330, (235, 180, 60)), (370, (230, 80, 60))):
        c.disc((x, 150), 11, colour)
    c.text((330, 190), "MARLA 2", 26, WHITE)
    c.line([(412, 240), (440, 300), (432, 392)], STEEL, 11)
    c.line([(432, 392), (430, 412)], RUBBER, 12)
    c.cylinder((258, 380, 304, 424), WHITE, radius=5)
    return c.finished()


def water_tank() -> Image.Image:
    c = Canvas(480, 480, (226, 236, 238), CLOTH)
    c.shadow((100, 390, 390, 450))
    c.plate((120, 80, 360, 420), (214, 232, 240), shade=0.15, radius=26, outline=DARK_STEEL)
    c.plate((126, 210, 354, 414), (120, 178, 214), shade=0.3, radius=22)
    for y, words in ((130, "MAX"), (370, "MIN")):
        c.line([(120, y), (180, y)], RED, 3)
        c.text((212, y), words, 20, RED)
    c.plate((150, 52, 330, 84), BLUE, radius=10)
    c.line([(290, 84), (290, 380)], WHITE, 7)
    c.disc((290, 384), 16, DARK_STEEL)
    return c.finished()


def level_feet() -> Image.Image:
    c = Canvas(520, 360, CREAM, WALNUT)
    c.plate((40, 40, 480, 170), STEEL, radius=10)
    for x in (90, 390):
        c.cylinder((x, 170, x + 40, 226), BRASS)
        for y in range(176, 224, 8):
            c.line([(x + 2, y), (x + 38, y + 4)], WALNUT, 1.5)
        c.cylinder((x - 22, 224, x + 62, 258), RUBBER, radius=8)
    c.arc((410, 200), 70, (300, 60), RED, 5)
    c.arrow((448, 255), (436, 268))
    c.plate((170, 78, 350, 126), (176, 208, 60), radius=22, outline=INK)
    for x in (238, 282):
        c.line([(x, 80), (x, 124)], INK, 2)
    c.disc((260, 100), 18, (226, 244, 150))
    return c.finished()


def filter_baskets() -> Image.Image:
    c = Canvas(600, 380, SLATE)
    for x, y, r, depth in ((190, 150, 110, 56), (430, 160, 110, 110)):
        c.shadow((x - 120, y + depth - 20, x + 130, y + depth + 90), 0.5)
        c.polygon([(x - r, y), (x + r, y), (x + r * 0.8, y + depth), (x - r * 0.8, y + depth)], STEEL)
        c.disc((x, y + depth), r * 0.8, STEEL, squash=0.4)
        c.ring((x, y), r + 10, r - 6, STEEL, hole=DARK_STEEL, squash=0.42)
        for row in range(-3, 4):
            for column in range(-7, 8):
                if (row / 3.5) ** 2 + (column / 7.5) ** 2 < 0.9:
                    c.dot((x + column * 11, y + row * 10), 2.2, INK)
    c.text((190, 330), "single, 9 g", 22, WHITE)
    c.text((430, 345), "double, 18 g", 22, WHITE)
    return c.finished()


def tamper() -> Image.Image:
    c = Canvas(400, 460, (216, 206, 192), BENCH)
    c.shadow((90, 370, 330, 440))
    c.disc((200, 100), 62, WALNUT)
    c.cylinder((168, 120, 232, 270), WALNUT, radius=20)
    c.cylinder((180, 262, 220, 310), BRASS)
    c.cylinder((104, 305, 296, 392), STEEL, radius=8)
    c.arrow((340, 90), (340, 300))
    c.text((340, 330), "15 kg", 24, RED)
    return c.finished()


def portafilter() -> Image.Image:
    c = Canvas(620, 360, CLOTH)
    c.shadow((60, 200, 560, 320))
    c.cylinder((300, 150, 580, 196), WALNUT, upright=False, radius=22)
    c.cylinder((262, 156, 310, 190), BRASS, upright=False)
    c.disc((180, 180), 112, STEEL)
    for angle in (90, 270):
        x, y = around((180, 180), 112, angle)
        c.plate((x - 30, y - 14, x + 30, y + 14), STEEL, radius=4)
    c.ring((180, 180), 100, 84, STEEL, hole=(72, 48, 34))
    c.disc((180, 180), 80, (88, 58, 40), shade=0.12)
    return c.finished()


def coffee_puck() -> Image.Image:
    c = Canvas(460, 340, WHITE)
    for x, wet in ((120, False), (340, True)):
        c.shadow((x - 90, 190, x + 90, 280))
        dark: Colour = (56, 36, 24) if wet else (96, 64, 42)
        c.cylinder((x - 80, 150, x + 80, 220), dark)
        c.disc((x, 220), 80, dark, squash=0.35, shade=0.1)
        c.disc((x, 150), 80, dark, squash=0.35, shade=0.2)
        if wet:
            c.line([(x - 50, 140), (x - 20, 152), (x + 5, 142), (x + 40, 160)], (20, 12, 8), 5)
            c.dot((x - 10, 156), 7, (20, 12, 8))
    c.text((120, 300), "even: good", 20)
    c.text((340, 300), "channelled: tamp again", 20, RED)
    return c.finished()


def steam_wand() -> Image.Image:
    c = Canvas(420, 520, (196, 204, 206), SLATE)
    c.disc((150, 70), 46, STEEL)
    c.line([(150, 80), (190, 180), (230, 380)], STEEL, 22)
    c.line([(147, 82), (186, 182), (225, 380)], WHITE, 5)
    c.cylinder((172, 180, 232, 250), RUBBER, radius=12)
    c.disc((232, 394), 20, BRASS)
    for dx in (-9, 0, 9):
        c.dot((232 + dx, 402), 2.6, INK)
    for k, dx in enumerate((-34, -6, 24)):
        c.arc((244 + dx, 440 + 8 * k), 22, (200, 340), WHITE, 5)
    c.disc((70, 60), 42, RUBBER)
    c.text((70, 60), "STEAM", 15, WHITE)
    return c.finished()


def milk_jug() -> Image.Image:
    c = Canvas(440, 440, (210, 196, 186), WALNUT)
    c.shadow((90, 350, 340, 420))
    c.polygon([(110, 90), (330, 90), (350, 390), (90, 390)], STEEL)
    c.cylinder((104, 110, 336, 392), STEEL, radius=18)
    c.arc((345, 240), 70, (270, 90), STEEL, 18)
    c.polygon([(110, 92), (66, 76), (120, 150)], DARK_STEEL)
    c.disc((220, 96), 112, DARK_STEEL, squash=0.25, shade=0.1)
    c.disc((220, 100), 98, WHITE, squash=0.22, shade=0.05)
    c.line([(130, 250), (310, 250)], BLUE, 3)
    c.text((220, 272), "milk to here, cold", 17, BLUE)
    return c.finished()


def blind_basket() -> Image.Image:
    c = Canvas(440, 360, (228, 222, 206))
    c.shadow((70, 180, 380, 320))
    c.disc((220, 190), 140, BLUE, squash=0.62)
    c.ring((220, 175), 140, 116, STEEL, hole=(150, 156, 162), squash=0.62)
    c.disc((220, 178), 112, STEEL, squash=0.6, shade=0.2)
    c.disc((220, 186), 28, DARK_STEEL, squash=0.6)
    return c.finished()


def group_brush() -> Image.Image:
    c = Canvas(560, 320, (188, 206, 190))
    c.shadow((50, 190, 520, 290), 0.3)
    c.cylinder((40, 130, 330, 176), RED, upright=False, radius=20)
    c.cylinder((320, 122, 400, 184), INK, upright=False, radius=8)
    for k in range(22):
        x = 402 + 2 * (k % 4)
        c.line([(x, 124 + 2.8 * k), (500 + (k * 7) % 16, 100 + 5.2 * k)], (236, 226, 196), 3)
    return c.finished()


def drip_tray() -> Image.Image:
    c = Canvas(580, 340, CREAM)
    c.shadow((50, 210, 540, 320))
    c.polygon([(120, 70), (460, 70), (540, 230), (40, 230)], DARK_STEEL)
    c.plate((40, 230, 540, 290), DARK_STEEL, radius=8)
    for k in range(13):
        x = 142 + 25 * k
        c.line([(x, 84), (x + (x - 290) * 0.42, 218)], STEEL, 7)
    c.disc((292, 180), 14, RED)
    c.line([(292, 166), (292, 140)], RED, 5)
    return c.finished()


def scale_crust() -> Image.Image:
    c = Canvas(500, 380, (176, 186, 192))
    c.shadow((60, 250, 450, 350))
    c.cylinder((60, 90, 440, 290), COPPER, upright=False, radius=90)
    c.ring((250, 190), 92, 70, COPPER, hole=(52, 36, 30))
    for k in range(70):
        angle, reach = (k * 137) % 360, 58 - (k * 29) % 26
        c.disc(around((250, 190), reach, angle), 7 + k % 6, (232, 228, 216), shade=0.2)
    c.disc((250, 190), 26, (30, 22, 20))
    return c.finished()


def descaler_sachet() -> Image.Image:
    c = Canvas(380, 440, CLOTH)
    c.shadow((60, 340, 330, 420))
    c.plate((80, 60, 300, 380), WHITE, radius=6, outline=GREEN)
    for x in range(80, 300, 11):
        c.polygon([(x, 60), (x + 5.5, 50), (x + 11, 60)], WHITE)
    c.plate((80, 120, 300, 210), GREEN)
    c.text((190, 150), "DESCALER", 30, WHITE)
    c.text((190, 184), "citric acid 25 g", 18, WHITE)
    c.text((190, 260), "1 sachet", 22)
    c.text((190, 292), "1 litre of water", 22)
    c.polygon([(190, 322), (212, 352), (190, 368), (168, 352)], BLUE)
    return c.finished()


def group_seal(background: Colour = CREAM) -> Image.Image:
    """The rubber ring of the brew group: black, thick, with a notch and a worn bright edge."""
    c = Canvas(460, 400, background)
    c.shadow((60, 230, 400, 370), 0.4)
    c.ring((230, 200), 160, 104, RUBBER, hole=background, squash=0.8)
    c.arc((230, 200), 130, (200, 285), (120, 116, 114), 3)
    for angle in (28, 118, 208, 298):
        x, y = around((0, 0), 132, angle)
        c.dot((230 + x, 200 + y * 0.8), 7, (20, 18, 18))
    return c.finished()


def shower_screen() -> Image.Image:
    c = Canvas(420, 420, BENCH)
    c.shadow((50, 60, 390, 400), 0.4)
    c.disc((210, 205), 160, STEEL, shade=0.25)
    c.ring((210, 205), 160, 144, STEEL, hole=(176, 182, 188))
    for ring, count in ((40, 10), (70, 18), (100, 26), (126, 34)):
        for k in range(count):
            c.dot(around((210, 205), ring, 360 * k / count), 4, INK)
    c.disc((210, 205), 22, BRASS)
    c.polygon(hexagon((210, 205), 11), INK)
    return c.finished()


def vibration_pump() -> Image.Image:
    c = Canvas(620, 340, (222, 214, 190))
    c.shadow((60, 210, 570, 310))
    c.cylinder((40, 140, 150, 184), WHITE, upright=False, radius=8)
    c.plate((140, 80, 350, 246), BLUE, radius=8)
    for k in range(7):
        c.line([(164 + 26 * k, 84), (164 + 26 * k, 242)], (30, 66, 124), 6)
    c.cylinder((350, 110, 470, 214), COPPER, upright=False, radius=4)
    c.cylinder((470, 134, 540, 190), BRASS, upright=False)
    c.cylinder((540, 148, 596, 176), BRASS, upright=False, radius=6)
    for x in (200, 290):
        c.plate((x, 46, x + 22, 84), STEEL, radius=2)
    return c.finished()


def expansion_valve(background: Colour = SLATE) -> Image.Image:
    """The over-pressure valve: a brass T with a hexagon nut, a slotted screw and a hose end."""
    c = Canvas(480, 420, background)
    c.shadow((70, 270, 430, 390), 0.5)
    c.cylinder((60, 210, 430, 268), BRASS, upright=False, radius=8)
    for x in range(66, 126, 9):
        c.line([(x, 212), (x + 5, 266)], (146, 108, 36), 2.5)
    c.cylinder((196, 90, 286, 330), BRASS, radius=6)
    c.polygon(hexagon((241, 120), 74), BRASS, (140, 104, 36))
    c.disc((241, 120), 44, BRASS)
    c.line([(214, 138), (268, 102)], (70, 50, 20), 9)
    for x in (346, 372, 398):
        c.cylinder((x, 200, x + 16, 278), BRASS, upright=True, radius=4)
    return c.finished()


def steam_tip() -> Image.Image:
    c = Canvas(400, 400, (232, 220, 214))
    c.shadow((90, 270, 320, 360))
    c.cylinder((150, 60, 250, 170), STEEL)
    for y in range(66, 166, 13):
        c.line([(150, y), (250, y + 8)], DARK_STEEL, 3)
    c.polygon([(130, 170), (270, 170), (286, 214), (114, 214)], STEEL, DARK_STEEL)
    c.disc((200, 250), 84, STEEL)
    for angle in (20, 65, 115, 160):
        c.dot(around((200, 262), 48, angle), 8, INK)
    return c.finished()


def fuse() -> Image.Image:
    c = Canvas(460, 260, (238, 232, 200))
    c.shadow((60, 140, 410, 220), 0.3)
    c.cylinder((130, 90, 330, 160), (222, 236, 236), upright=False)
    c.line([(130, 126), (200, 118), (260, 132), (330, 124)], DARK_STEEL, 3)
    for x in (60, 320):
        c.cylinder((x, 82, x + 84, 168), STEEL, upright=False, radius=6)
    c.text((230, 210), "T 10 A  250 V", 22)
    return c.finished()
