# A workload on one of R's pools, as its users write it: nothing is stored.
# Rscript pools.R parLapply|mclapply|multisession|loop WORKLOAD.R N
arguments <- commandArgs(trailingOnly = TRUE)
way <- arguments[[1]]
n <- as.integer(arguments[[3]])
source(arguments[[2]])
RNGkind("L'Ecuyer-CMRG")
set.seed(42)
results <- switch(way,
  loop = lapply(seq_len(n), function(i) simulate()),
  parLapply = {
    cluster <- parallel::makeCluster(2)
    parallel::clusterSetRNGStream(cluster, 42)
    parallel::clusterExport(cluster, "simulate")
    found <- parallel::parLapply(cluster, seq_len(n), function(i) simulate())
    parallel::stopCluster(cluster)
    found
  },
  mclapply = parallel::mclapply(seq_len(n), function(i) simulate(), mc.cores = 2),
  multisession = {
    future::plan("multisession", workers = 2)
    future.apply::future_lapply(seq_len(n), function(i) simulate(), future.seed = 42)
  }
)
cat(length(results), "\n")
