# An M/M/1 queue in base R, by Lindley's recursion, customer by customer: about 20 ms.
simulate <- function() {
  wait <- 0
  total <- 0
  for (customer in 1:4000) {
    wait <- max(0, wait + rexp(1, 1 / 0.8) - rexp(1, 1))
    total <- total + wait
  }
  c(wait = total / 4000)
}
