library(testthat)
library(replicast)

test_check("replicast")
