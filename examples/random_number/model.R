# A stand-in for a slow model: a random whole number from 0 to 1000 after a short pause.

simulate <- function(pause_seconds = 0.05) {
  Sys.sleep(pause_seconds)
  list(number = sample(0:1000, 1))
}
