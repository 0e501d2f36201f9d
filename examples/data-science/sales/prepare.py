"""Writes the data set. Drawn, where yours would come from: the seed makes it the same in every build."""

import csv
import random
import sys

ORDERS = 20_000
PRICES = {"tea": 4.5, "coffee": 6.0, "cocoa": 5.25}

draw = random.Random(2025)
with open(sys.argv[1], "w", newline="") as file:
    rows = csv.writer(file)
    rows.writerow(["region", "drink", "price", "pieces"])
    for _ in range(ORDERS):
        drink = draw.choice(list(PRICES))
        rows.writerow([draw.choice(["north", "east", "south", "west"]), drink, PRICES[drink], draw.randint(1, 20)])
