# A block: consecutive replications that left nothing but numbers of one shape, sent as columns.

BLOCK_ROOM <- 512L
# The frame of perform_rest, whose own variables they are: what it holds is there still when a failure has ended it.
block <- list(filled = 0L)

# Puts the block and empties it: what comes from each replication, then how long each state is, then all states.
close_block <- function() {
  count <- block$filled
  if (!count) return()
  taken <- seq_len(count)
  states <- block$states[taken]
  joined_states <- joined(states)
  put(c(BLOCK, block$opened, count, length(layout_names), length(joined_states), 0, 0, 0, 0))
  put_vector(block$seconds[taken])
  put_vector(as.double(joined(block$values[taken])))
  put_vector(lengths(states))
  if (length(joined_states)) put_vector(joined_states)
  block$states <- vector("list", length(block$states))
  block$filled <- 0L
}
