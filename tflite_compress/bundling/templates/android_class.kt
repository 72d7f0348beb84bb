package tflitecompress.@@name

import android.content.Context
import android.content.pm.ApplicationInfo
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import java.io.Closeable

/**
 * The model @@name. It normalizes and quantizes its inputs.@@tail_doc Not thread-safe. Close it after use.
 *
 * @property accelerators what the model was compiled for. With more than one, LiteRT decides operator by operator:
 * Logcat says which.
 */
class @@Class private constructor(
    private val model: CompiledModel,@@tail_property
    val accelerators: List<Accelerator>
) : Closeable {
    private val inputs = model.createInputBuffers()
@@buffers

    /**
     * Runs the model once on real numbers. Returns one array of real numbers per output.
     *
@@sizes
     */
    fun run(@@arguments): List<FloatArray> {
@@writes
@@invoke
        return listOf(
@@reads
        )
    }

    /** Runs the model once on raw values, without normalization and quantization. */
    fun runRaw(values: List<DoubleArray>): List<List<Double>> {
@@raw_writes
@@invoke
        return listOf(
@@raw_reads
        )
    }

    override fun close() {
        inputs.forEach { it.close() }
        outputs.forEach { it.close() }@@tail_close
        model.close()
    }

    companion object {
        const val FILE = "@@name.tflite"@@tail_file

        /** What to compile the model for, in this order, until LiteRT takes it. */
        val CHOICES: List<List<Accelerator>> = listOf(
@@choices
        )

        /**
         * Loads the model from the app's assets, for the first of [CHOICES] that LiteRT takes.
         *
         * A debug build runs the test vectors first.
         *
         * @throws IllegalStateException in a debug build, if outputs of the test vectors are wrong.
         */
        fun load(context: Context): @@Class {
            var refusal: Exception? = null
            for (choice in CHOICES) {
                val found = try {
                    compile(context, choice)
                } catch (refused: Exception) {
                    refusal = refused
                    continue
                }
                return if (isDebuggable(context)) checked(context, found) else found
            }
            throw IllegalStateException("LiteRT refuses $FILE on every accelerator", refusal)
        }

        /** Compiles the model for these accelerators, without a fall-back and without a check. */
        fun compile(context: Context, accelerators: List<Accelerator>): @@Class {
            val options = CompiledModel.Options(*accelerators.toTypedArray())
            val model = CompiledModel.create(context.assets, FILE, options)@@tail_create
            return @@Class(model, @@{tail_argument}accelerators)
        }

        /** Returns the names of the classes in the order of the output, or an empty list without a label file. */
        fun labels(context: Context): List<String> =
            try {
                context.assets.open("labels.txt").bufferedReader().readLines()
            } catch (missing: java.io.IOException) {
                emptyList()
            }

        /** Runs the test vectors on a model and returns a new one: the vectors may change its state. */
        private fun checked(context: Context, model: @@Class): @@Class {
            val result = model.use { @@{Class}Vectors.check(context, it) }
            check(result.isRight) { result.toString() }
            return compile(context, model.accelerators)
        }

        private fun isDebuggable(context: Context): Boolean =
            context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
    }
}
