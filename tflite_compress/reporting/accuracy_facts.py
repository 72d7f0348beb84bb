"""Accuracy before and after for the report, with a verdict per output: the worst output decides."""

from __future__ import annotations

from tflite_compress.reporting.accuracy_figures import Accuracy, MetricFacts, OutputAccuracy
from tflite_compress.scoring.drop_evidence import SEVERITY, DropEvidence, DropRule, evidence_by_output
from tflite_compress.scoring.reference import Outputs, Reference


def accuracy_facts(reference: Reference, outputs: Outputs, rule: DropRule, is_verified: bool) -> Accuracy:
    """Compare a file with the original model on the evaluation samples.

    Args:
        reference: The original model on the data.
        outputs: Outputs of the file on the evaluation samples, one array per output, shape (samples, ...).
        rule: How a drop is judged.
        is_verified: False where the samples are random inputs.

    Returns:
        The accuracy of each output. The output with the worst outcome decides, among equal ones that with the
        largest drop.
    """
    score, names = reference.score_of(outputs), reference.scored_names
    drops = reference.drops_of(score)
    evidence: tuple[DropEvidence | None, ...] = (None,) * len(names)
    if is_verified:
        evidence = evidence_by_output(reference, outputs, rule)
    worst = max(range(len(names)), key=lambda i: (_severity(evidence[i]), drops[i]))
    rows = zip(
        names, reference.metrics, reference.score.by_output, score.by_output, drops, evidence, strict=True
    )
    return Accuracy(
        metric=_metric(reference, worst),
        is_labelled=reference.labelled,
        is_verified=is_verified,
        samples=len(reference.splits.evaluate),
        before=reference.score.by_output[worst],
        after=score.by_output[worst],
        drop=drops[worst],
        max_drop=rule.max_drop,
        by_output={
            name: OutputAccuracy(
                before=before,
                after=after,
                metric=metric.name,
                drop=drop,
                higher_is_better=metric.higher_is_better,
                is_share=metric.is_share,
                evidence=found,
            )
            for name, metric, before, after, drop, found in rows
        },
        deciding_output=names[worst] if len(names) > 1 else None,
        evidence=evidence[worst],
    )


def _severity(evidence: DropEvidence | None) -> int:
    return 0 if evidence is None else SEVERITY.index(evidence.outcome)


def _metric(reference: Reference, output: int) -> MetricFacts:
    metric = reference.metrics[output]
    return MetricFacts(
        name=reference.metric_of(output),
        higher_is_better=metric.higher_is_better,
        is_share=metric.is_share,
    )
