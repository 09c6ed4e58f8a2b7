# Simulation chunk: one iteration of the whole-system simulation.
#
#   Rscript run-simmer.R PARAMETERS.csv ITERATION FOLDER
#
# Leaves FOLDER/<iteration>.envs.RDS for combine-and-process-output.R.

library(simmer)
source("R/pathway.R")

args <- commandArgs(trailingOnly = TRUE)
p <- read_parameters(args[1])
iteration <- as.integer(args[2])
folder <- args[3]

# Iteration i draws from stream i, as in the loop of run-wssr.R.
RNGkind("L'Ecuyer-CMRG")
set.seed(p$seed)
for (i in seq_len(iteration)) .Random.seed <- parallel::nextRNGStream(.Random.seed)

env <- pathway(p)
saveRDS(wrap(env), file.path(folder, paste0(iteration, ".envs.RDS")))
