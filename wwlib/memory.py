def choose_micro_batch(config, compute, rows, memory):
    return rows
