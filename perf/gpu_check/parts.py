"""The parts in their order, with the seconds that each may take."""

from perf.gpu_check.agreement import look_at_agreement
from perf.gpu_check.checkpoints import look_at_checkpoints
from perf.gpu_check.correctness import look_at_precisions, look_at_resume
from perf.gpu_check.determinism import look_at_determinism
from perf.gpu_check.evaluation import look_at_evaluation
from perf.gpu_check.gpu_tests import look_at_tests, look_at_the_job_s_gpu
from perf.gpu_check.loading import look_at_loading
from perf.gpu_check.loss_scale import look_at_loss_scale
from perf.gpu_check.memory import look_at_memory
from perf.gpu_check.running import Part
from perf.gpu_check.step_times import look_at_compilation, look_at_step_times
from perf.gpu_check.world import make_world

# What is lost if the whole takes longer than it may comes last.
PARTS = [
    Part("world", "The machine and the data", 60, make_world),
    Part("gpu", "The GPU of a job", 20, look_at_the_job_s_gpu),
    Part("tests", "The tests for a GPU", 120, look_at_tests),
    Part("precisions", "Small trainings in each precision", 60, look_at_precisions),
    Part("resume", "Stopped and gone on with", 60, look_at_resume),
    Part("determinism", "Strict mode", 90, look_at_determinism),
    Part("agreement", "CPU and GPU", 60, look_at_agreement),
    Part("steps", "Seconds of a training step", 130, look_at_step_times),
    Part("memory", "Memory of a training step", 80, look_at_memory),
    Part("loading", "Loader, copies, encoding", 60, look_at_loading),
    Part("checkpoints", "Checkpoints", 30, look_at_checkpoints),
    Part("evaluation", "The episodes of a test", 40, look_at_evaluation),
    Part("loss_scale", "fp16", 40, look_at_loss_scale),
    Part("compilation", "The compiled backbone", 200, look_at_compilation),
]
# For all parts together: ten minutes less what the start and the page take.
SECONDS = 570.0
