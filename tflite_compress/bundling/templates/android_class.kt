package tflitecompress.@@name

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.io.Closeable

/**
 * The model @@name, with normalization and quantization done inside. Not thread-safe; close it after use.
 *
 * It asks for the @@accelerator and falls back to the CPU where the phone has none that takes the model.
 */
class @@Class private constructor(private val model: CompiledModel) : Closeable {
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /**
     * Runs the model once: real numbers in, one array of real numbers out for each output.
     *
@@sizes
     */
    fun run(@@arguments): List<FloatArray> {
@@writes
        model.run(inputs, outputs)
        return listOf(
@@reads
        )
    }

    /** The same with the values the model itself has, for checking. */
    fun runRaw(values: List<DoubleArray>): List<List<Double>> {
@@raw_writes
        model.run(inputs, outputs)
        return listOf(
@@raw_reads
        )
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }
        model.close()
    }

    companion object {
        private const val FILE = "@@name.tflite"

        /** Loads the model from the app's assets. */
        fun load(context: Context, accelerator: Accelerator = Accelerator.@@accelerator): @@Class {
            val model = try {
                CompiledModel.create(context.assets, FILE, CompiledModel.Options(accelerator))
            } catch (refused: Exception) {
                CompiledModel.create(context.assets, FILE, CompiledModel.Options(Accelerator.CPU))
            }
            return @@Class(model)
        }

        /** Names of the classes, in the order of the output; empty where there is no label file. */
        fun labels(context: Context): List<String> =
            try {
                context.assets.open("labels.txt").bufferedReader().readLines()
            } catch (missing: java.io.IOException) {
                emptyList()
            }
    }
}
