"""The bundled sample company: a made-up software firm's customers, with the truth about them written beside the data.

`python -m sample --seed 7 --folder var/sample/landing` makes the files that config/pipeline.yml maps.
Every account has a hidden health (0..1 a day); usage, tickets, surveys, payments and engagement are drawn from it,
so a score that works has to find it again.
"""
