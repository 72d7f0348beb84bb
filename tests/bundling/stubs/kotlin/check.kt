import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import tflitecompress.digits.Digits
import tflitecompress.digits.DigitsTest

/** Prints what was written for 64 pixels, the outputs, the accelerators, and what the instrumented test logs. */
fun main() {
    val model = Digits.load(Context())
    val outputs = model.run(FloatArray(64) { it * 4f })
    println(CompiledModel.last.bytes.joinToString(" "))
    println(outputs[0].joinToString(" "))
    println(model.accelerators.joinToString(" "))
    val test = DigitsTest()
    test.vectorsAreRight()
    test.reportIsPrinted()
}
