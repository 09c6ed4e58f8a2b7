# The proof of concept's stand-in for a model: ten minutes of work, then a random integer from 0 to 1000.
simulate <- function(pause_seconds = 600) {
  Sys.sleep(pause_seconds)
  sample(0:1000, 1)
}
