# Gambler's ruin: bet 1 a game, win it with probability p, until the stake is lost or the goal is reached.
#
#   awk -v stake=10 -v goal=20 -v p=0.49 -v seed=123 -v out=FOLDER -f ruin.awk
#
# Leaves metrics.json and fortune.csv (the fortune at the start and after each tenth game) in FOLDER.
# srand() and rand() differ from one awk to another, so the generator is L'Ecuyer's (1988) combined one, which is exact
# in the doubles that awk computes with.

function uniform() {
  s1 = (40014 * s1) % 2147483563
  s2 = (40692 * s2) % 2147483399
  return ((s1 - s2 + 2147483562) % 2147483562 + 1) / 2147483563
}

BEGIN {
  # The seed has up to 19 digits, and awk's numbers hold 15: it is cut in two as a text.
  digits = length(seed)
  s1 = 1 + substr(seed, 1, digits - 9)  % 2147483562
  s2 = 1 + substr(seed, digits > 9 ? digits - 8 : 1) % 2147483398

  fortune = stake
  print "game,fortune\n0," fortune > (out "/fortune.csv")
  while (fortune > 0 && fortune < goal) {
    fortune += uniform() < p ? 1 : -1
    if (++games % 10 == 0) print games "," fortune > (out "/fortune.csv")
  }
  printf "{\"ruined\": %d, \"games\": %d}\n", fortune == 0, games > (out "/metrics.json")
}
