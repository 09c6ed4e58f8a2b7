# Whole-system simulation. Runs all iterations one after the other, then writes outputs/wssr-results.csv.
#
#   Rscript run-wssr.R

source("R/pathway.R")
source("R/process-output.R")

p <- read_parameters("inputs/parameters.csv")

# Each iteration draws from a random number stream of its own.
RNGkind("L'Ecuyer-CMRG")
set.seed(p$seed)
stream <- .Random.seed

all_patients <- data.frame()

for (i in seq_len(p$iterations)) {
  stream <- parallel::nextRNGStream(stream)
  .Random.seed <- stream

  patients <- pathway(p)
  patients$replication <- i
  all_patients <- rbind(all_patients, patients)

  message("Iteration ", i, " of ", p$iterations)
}

results <- process_output(all_patients, p)
dir.create("outputs", showWarnings = FALSE)
write.csv(results, "outputs/wssr-results.csv", row.names = FALSE)
