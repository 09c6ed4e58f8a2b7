# The M/M/1 queue: one server, Poisson arrivals, exponential service, first come, first served.
#
# A customer waits for what the one before still had to wait and be served, less the time between their arrivals
# (Lindley, 1952): W[i+1] = max(0, W[i] + S[i] - A[i+1]). The waits are the height of a random walk over its lowest
# point so far. Returned: the mean wait in the queue and the share of customers who wait, after the first `warm_up`.

simulate <- function(arrival_rate = 0.8, service_rate = 1.0, customers = 20000L, warm_up = 2000L) {
  n <- warm_up + customers
  gaps <- rexp(n, arrival_rate)
  times <- rexp(n, service_rate)
  walk <- c(0, cumsum(times[-n] - gaps[-1]))
  waits <- (walk - cummin(walk))[-seq_len(warm_up)]
  list(wait = mean(waits), share_waiting = mean(waits > 0))
}
