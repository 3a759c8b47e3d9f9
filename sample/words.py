"""Words that names are put together from. All people and companies are invented."""

from __future__ import annotations

FIRST_WORDS = (
    "Amber", "Basalt", "Cinder", "Copper", "Dapple", "Ember", "Fallow", "Gilded",
    "Harrow", "Indigo", "Juniper", "Kestrel", "Lichen", "Marlow", "Nettle", "Ochre",
    "Pewter", "Quartz", "Russet", "Saffron", "Thistle", "Umber", "Velvet", "Willow",
)  # fmt: skip
SECOND_WORDS = (
    "Anvil", "Badger", "Causeway", "Drift", "Ferry", "Gantry", "Heron", "Inlet",
    "Jetty", "Kiln", "Lantern", "Meadow", "Notch", "Otter", "Paddock", "Quarry",
    "Ridgeway", "Sluice", "Thicket", "Undertow", "Vale", "Weir", "Yarrow", "Zephyr",
)  # fmt: skip
INDUSTRY_WORDS = {
    "software": "Systems",
    "retail": "Stores",
    "logistics": "Freight",
    "healthcare": "Clinics",
    "finance": "Ledgers",
    "manufacturing": "Works",
    "education": "Academies",
    "media": "Press",
}
REGIONS = ("north_america", "europe", "asia_pacific", "latin_america")
CHILD_WORDS = ("North", "South", "Coast", "Uplands")

# Customer success managers by the segment they look after.
MANAGERS = {
    "enterprise": ("Ada Quillmore", "Dov Lindqvarn"),
    "mid_market": ("Ben Tarrowsby", "Elif Sarnovane", "Greta Holmbreck"),
    "smb": ("Carmen Oduvale", "Farid Menzabrook", "Hiro Tanabeck"),
}
