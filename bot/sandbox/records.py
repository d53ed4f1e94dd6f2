# ruff: noqa: RUF001 - titles in many scripts
"""The records in the sandbox's shop: invented titles by invented artists, as plain rows."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """One row. Names within `artists` and `tracks` are parted by " / "; `date` is as exact as it is long.

    `tracks` names the first few, the others go by their numbers. `id` only where it must be a known one.
    """

    title: str
    artists: str
    date: str
    total: int
    tracks: str
    kind: str = "album"
    id: str | None = None


RECORDS = (
    # Two that documents and tests know by their ids.
    Record(
        "Slow Harbour",
        "The Lantern Ferry",
        "2011-09-16",
        10,
        "Tide Table / Lamps Along the Mole / Slow Harbour",
        id="4aawyAB9vmqN3uQ7FjRGTy",
    ),
    Record(
        "Attic Weather",
        "Junia Marrowby",
        "2018-03-02",
        11,
        "Rain Gauge / Mothlight / The Good Suitcase",
        id="1uyf3l2d4XYwiEqAb7t7fX",
    ),
    # Editions of one release, and one title that several artists chose.
    Record("Slow Harbour", "The Lantern Ferry", "2011-09-19", 10, "Tide Table / Lamps Along the Mole"),
    Record("Slow Harbour (Deluxe Edition)", "The Lantern Ferry", "2021-09-17", 16, "Tide Table / Low Water"),
    Record("Paper Lighthouse", "The Lantern Ferry", "2014-05", 9, "Folding Instructions / Match"),
    Record("Machine Hymns", "Voltaic Orchard", "2001-02-12", 8, "Solder / Choir of Fans / Overwinter"),
    Record("Machine Hymns (Instrumentals)", "Voltaic Orchard", "2002-11-04", 8, "Solder / Choir of Fans"),
    Record("Machine Hymns (20th Anniversary)", "Voltaic Orchard", "2021-02-12", 19, "Solder / Demo Tape"),
    Record("Home", "Ada Quillfeather", "2012-10-05", 7, "Door / Stairs / Lamp"),
    Record("Home", "Norrland Static", "2020-01-24", 6, "64° N / Frost Line"),
    Record("Home", "Orla Finnabright", "1993", 12, "The Long Field / Kettle Song"),
    Record("Telegraph Moon", "Cassette Meadow", "2021-06-11", 1, "Telegraph Moon", "single"),
    Record("Telegraph Moon", "Cassette Meadow", "2021-10-15", 10, "Dial Tone / Telegraph Moon / Meadow C60"),
    Record("Greatest Hiss", "Cassette Meadow", "2024-02-09", 14, "Rewind / Side B Forever", "compilation"),
    Record(
        "Kitchen Radio: 20 Songs for Slow Mornings",
        "Various Artists",
        "2018-11-30",
        20,
        "Toast / Steam on the Window / One More Cup",
        "compilation",
    ),
    # Long, short and awkward ones: cards must bear them.
    Record(
        "The Complete and Only Slightly Embellished History of Everything That Happened on the Night Bus "
        "Between Two Towns Whose Names I Promised Not to Sing",
        "The Domestic Science Ensemble",
        "1981-04",
        13,
        "Departure / The Man with the Cello / A Disputed Sandwich",
    ),
    Record("Songs [for] *Brackets* & _Underscores_", "Kestrel Ampersand", "2021-08-20", 9, "~tilde~"),
    Record("0°C", "Kestrel Ampersand", "2023-01-13", 5, "Ice / Water"),
    Record("Gravity Is a Rumour", "Kestrel Ampersand", "2019-05-17", 10, "Apple / Ladder / Feather"),
    Record("Thirteen Ways to Boil an Egg", "The Domestic Science Ensemble", "1975", 13, "Three Minutes"),
    Record("Duets for One Piano", "Ada Quillfeather / Junia Marrowby", "2022-03-25", 8, "Left Hand / Right"),
    Record("Cartography of Small Rooms", "Ada Quillfeather", "2016-09-30", 9, "North Wall / Legend / Scale"),
    Record("Static Garden", "Norrland Static", "2017-02-03", 7, "Lichen / Antenna"),
    Record(
        "Orchard, Burning, Lovely",
        "Voltaic Orchard / Kestrel Ampersand / Norrland Static",
        "2024-07-19",
        11,
        "Windfall / Ladder Truck / Ash Apple",
    ),
    Record("A Field Guide to Leaving", "Bram Tollgate & the Small Hours", "2006-08-28", 11, "Spare Key"),
    Record("Sundays at the Observatory", "Pellbrook & Hartwick", "1972", 9, "First Light / The Caretaker"),
    Record("Copper Kettle Blues", "Old Tam Verrity", "1958", 12, "Copper Kettle Blues / Ferryman's Dog"),
    Record("Midnight at the Button Factory", "The Brindle Quay Six", "1961-03", 6, "Four Holes / Thread"),
    Record("Live at the Heron Rooms", "The Brindle Quay Six", "1964-02", 7, "Thread / Applause for a Heron"),
    # French, German, Dutch.
    Record("Nocturne pour une gare vide", "Éloïse Trémarec", "2009-01-16", 10, "Quai n° 0 / L’horloge"),
    Record("Les jours de verre", "Cécile Arquenoz", "2016-11-04", 11, "Vitrine / Éclats / À contre-jour"),
    Record("Été indien, hiver lent", "Trio Vertbois", "1998", 8, "Feuille morte / Première neige"),
    Record("Unter dem Holunder", "Käthe Wiesenbrück", "1978", 10, "Gartentor / Unter dem Holunder"),
    Record("Grüße aus Zimmer 9", "Kapelle Nordlichtung", "1983-04", 12, "Schlüssel / Früh um fünf"),
    Record("Straßenbahn nach Süden", "Kapelle Nordlichtung", "1986-09", 11, "Endstation / Weiße Nacht"),
    Record("De Stille Fietsbel", "Mevrouw Kroosdijk", "2015-04-24", 9, "Wind tegen / Polderlicht"),
    # Portuguese, Spanish, Catalan, Italian.
    Record("Canções de Areia Fria", "Inês Valdorme", "2003-06-20", 12, "Maré / Não Volto Já"),
    Record("Saudade de Ninguém", "Os Faróis de Ontem", "2012-05-11", 10, "Cais / Ninguém"),
    Record("La casa del limonero", "Ximena Altocuevas", "2007-10-12", 11, "Patio / Tres llaves"),
    Record("Pequeñas máquinas", "Ximena Altocuevas", "2013-03-08", 9, "Engranaje / Corazón de lata"),
    Record("Mañana en el tejado", "Los Vecinos del Quinto", "2019-07-05", 8, "Antena / ¿Quién riega?"),
    Record("La ciutat de paper", "Cor dels Terrats", "2010-04-23", 10, "Plànol / Finestra"),
    Record("Lezioni di volo per gatti", "Orchestrina del Gas", "1969", 12, "Il davanzale / Perché no"),
    # The north.
    Record("Sista spårvagnen", "Åsa Grynnfors", "1997-11-10", 10, "Hållplats / Sista spårvagnen"),
    Record("Under tak av snø", "Fjordhagen Kvartett", "2005-01-28", 8, "Ørret / Blå time"),
    Record("Hiljaisuuden kartta", "Tuulikki Havumäki", "2015-09-18", 9, "Järvi / Yötön yö"),
    Record("Þegar sjórinn svaf", "Bryndís Hvalnes", "2020-01-31", 7, "Fjara / Ljósið í eldhúsinu"),
    # Central and eastern Europe.
    Record("Zimowy atlas", "Żuraw i Sople", "2008-12-05", 11, "Mapa szronu / Źródło"),
    Record("Światło w kuchni", "Żuraw i Sople", "2014-10-17", 10, "Łyżka / Dzień dobry, czajniku"),
    Record("Tramvaj číslo nula", "Orchestr pana Křídy", "1994", 9, "Výhybka / Noční řidič"),
    Record("Ezüst villamos", "Borsodvári Esőkönyv", "2001-05-25", 10, "Megálló / Őszi menetrend"),
    Record("Gece vapuru", "Şimşirli Pencere", "2017-09-08", 9, "İskele / Çay molası"),
    Record("Μικρή άνοιξη", "Ορχήστρα Χάρτινο Καΐκι", "1999", 12, "Αλμύρα / Το παράθυρο"),
    Record("Тихий вокзал", "Ансамбль «Перелётный чайник»", "1989", 10, "Перрон / Ёлка в ноябре"),
    Record("Листья на крыше", "Ансамбль «Перелётный чайник»", "1991", 8, "Дворник / Листья на крыше"),
    Record("ზღვის ბიბლიოთეკა", "მთვარის ფოსტა", "1996", 8, "ნიჟარა / თარო"),
    # Asia and Africa.
    Record("海岸線のラジオ", "月曜灯台", "1984-07-21", 10, "周波数 / 海岸線のラジオ"),
    Record("雨の日の地図", "月曜灯台", "1987-06-10", 9, "長靴 / 地図にない町"),
    Record("透明な夏休み", "ミナト・オルガン商会", "2022-08-03", 11, "ラムネ / プールの底"),
    Record("느린 우산", "종이등대 악단", "2018-06-29", 9, "첫 빗방울 / 느린 우산"),
    Record("紙燈籠與海", "南巷紙船樂社", "2010-09-22", 10, "巷口 / 紙燈籠"),
    Record("慢船", "南巷紙船樂社", "2016-03-18", 8, "慢船 / 回聲"),
    Record("ميناء القمر", "فرقة نافذة الريح", "2004-04-15", 9, "مرساة / ميناء القمر"),
    Record("מפת הגשם", "תזמורת הקיוסק", "2013-12-01", 10, "מטרייה / מפת הגשם"),
    Record("बारिश का पता", "चाय और तारे", "2019-07-12", 8, "छाता / बारिश का पता"),
    Record("ทะเลสีเงิน", "วงโคมกระดาษ", "2009-11-02", 9, "ทะเลสีเงิน / โคม"),
    Record("Ngày mưa tháng tám", "Ban nhạc Mái Hiên Xanh", "2014-08-08", 10, "Hiên nhà / Phố ướt"),
    Record("Jioni ya Bahari", "Bendi ya Mnara wa Taa", "1988", 8, "Mawimbi / Taa ya Mwisho"),
)
