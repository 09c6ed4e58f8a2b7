# Whole-system simulation. Runs all iterations one after the other, then writes outputs/wssr-results.csv.
#
#   Rscript run-wssr.R

library(simmer)
source("R/pathway.R")
source("R/process-output.R")

p <- read_parameters("inputs/parameters.csv")

# Each iteration draws from a random number stream of its own.
RNGkind("L'Ecuyer-CMRG")
set.seed(p$seed)
stream <- .Random.seed

all_attributes <- data.frame()
all_resources <- data.frame()

for (i in seq_len(p$iterations)) {
  stream <- parallel::nextRNGStream(stream)
  .Random.seed <- stream

  env <- pathway(p)
  attributes <- get_mon_attributes(env)
  resources <- get_mon_resources(env)
  attributes$replication <- i
  resources$replication <- i
  all_attributes <- rbind(all_attributes, attributes)
  all_resources <- rbind(all_resources, resources)

  message("Iteration ", i, " of ", p$iterations)
}

results <- process_output(all_attributes, all_resources, p)
dir.create("outputs", showWarnings = FALSE)
write.csv(results, "outputs/wssr-results.csv", row.names = FALSE)
