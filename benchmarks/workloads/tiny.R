# One normal variate.
simulate <- function() rnorm(1)
