package tflitecompress.@@name

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.io.Closeable

/**
 * The model @@name. It normalizes and quantizes its inputs. Not thread-safe. Close it after use.
 *
 * It runs on the @@accelerator, or on the CPU if the phone has no such accelerator or it refuses the model.
 */
class @@Class private constructor(private val model: CompiledModel) : Closeable {
    private val inputs = model.createInputBuffers()
    private val outputs = model.createOutputBuffers()

    /**
     * Runs the model once on real numbers. Returns one array of real numbers per output.
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

    /** Runs the model once on raw values, without normalization and quantization. */
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

        /** Returns the names of the classes in the order of the output, or an empty list without a label file. */
        fun labels(context: Context): List<String> =
            try {
                context.assets.open("labels.txt").bufferedReader().readLines()
            } catch (missing: java.io.IOException) {
                emptyList()
            }
    }
}
